"""What should be denied becomes what the kernel denies: one module per firewall."""
