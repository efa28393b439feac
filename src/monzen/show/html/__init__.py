"""What monzen knows as a page: for a file that opens from disk, and for `monzen serve`."""
