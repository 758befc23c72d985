"""Internet messages: fields, the MIME tree with byte offsets, encoded words, building, delivery reports. Pure."""
