"""The internet, faked over real sockets of 127.0.0.0/8: DNS, certificates, remote mail servers. See README.md."""
