// Public variables in development. The production image serves its own /env.js, from the container's environment.
window.env = {};
