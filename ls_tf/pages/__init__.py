"""How a page is put together: tables, pictures, families of figures."""
