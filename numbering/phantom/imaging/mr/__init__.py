"""MR of a posed patient: protocol → planes → painted water and fat → formed images, with the level of every slice."""
