"""Speed, memory and accuracy beside other libraries (`make bench`), and what a training step costs."""
