"""Tell people what standing questions found: by webhook, e-mail and an Atom feed, one at a time or in a digest."""
