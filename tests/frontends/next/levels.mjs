export const highest = (levels) => Math.max(...levels);
