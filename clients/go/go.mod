module leasehold.invalid/leasehold/clients/go

go 1.19
