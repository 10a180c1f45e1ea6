module frontend

go 1.18
