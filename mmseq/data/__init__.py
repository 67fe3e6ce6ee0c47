"""From files to sentences: readers' output checked, tags, splits, the store on disk."""
