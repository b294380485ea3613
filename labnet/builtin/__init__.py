"""The lab of etc/, as it is installed: what runs where no configuration file is found."""
