"""Facts of pictures from alerts and from rows of counts, as a page or command has them."""
