"""Who gets the requests of an endpoint whose platform splits them."""
