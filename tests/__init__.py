"""The tests of monzen; the tree is that of src/monzen."""
