"""Production records in the database: written once, joined when asked, taken away when they are old or unwanted."""
