# Installing and the package config come with the plugin.
