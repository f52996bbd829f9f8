"""Scripts that make committed files or check the tree; none of them is part of the distribution."""
