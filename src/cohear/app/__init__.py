"""What do people see and use in a browser: a page to hear the views, and what the classifier says of each.

Gradio, from the extra `app`, is imported when a page is made and not before.
"""
