"""What is odd: blank, tiny and foreign images, and whether the test holds as many of the kind."""
