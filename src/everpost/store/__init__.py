"""What the cluster remembers: ports, SQL written once per table, engines, blobs, leases, change feed."""
