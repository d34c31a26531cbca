module sansticket/tickets

go 1.21
