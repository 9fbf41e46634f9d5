"""What is between the workbench and the terminal: which bytes are written, and when."""
