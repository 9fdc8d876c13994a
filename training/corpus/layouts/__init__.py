"""How recordings lie on a disk. One file a layout; each reads a source into what `build` splits into folds."""
