"""Expert ratings: blinded bundles, the forms, and what comes back."""
