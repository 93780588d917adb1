"""How a scene becomes pixels: CT, radiographs, MR."""
