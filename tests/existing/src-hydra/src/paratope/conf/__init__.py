# Hydra finds the configuration as the package paratope.conf
