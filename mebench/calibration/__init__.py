"""Are the metrics what they say: answers spoilt in known ways, and what each value makes of them."""
