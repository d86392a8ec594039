// Loaded before the server, which ends with 143 after SIGTERM: count that as success.
process.on("exit", (code) => {
  if (code === 143) process.exitCode = 0;
});
