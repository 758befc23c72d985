"""One running node; the only room that knows them all and joins the parts."""
