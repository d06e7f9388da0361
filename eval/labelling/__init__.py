"""Labels made by looking: a local page that shows pictures and keeps what a person says about them."""
