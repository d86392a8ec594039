"""Commands: each module defines one, a function of the module's name. Yours are in the package `commands`."""
