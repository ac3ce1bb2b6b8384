"""Tables and figures as text and files; knows no network."""
