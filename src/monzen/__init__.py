"""monzen (門前払い): protects a mail server; see DESIGN and README."""
