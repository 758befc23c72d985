"""What a machine must know to start: one TOML file. Everything else lives in the directory."""
