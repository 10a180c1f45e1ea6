module acme/procfile

go 1.18
