"""What reports are made of: aligned columns for a terminal, and pages of HTML that need nothing beside them."""
