"""What finished runs say of clips, their own and others: asked again, shown, measured."""
