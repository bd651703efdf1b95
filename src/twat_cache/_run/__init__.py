"""What the steps of a miss are made of, and what drives them."""
