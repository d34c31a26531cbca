module sansticket.example/peer

go 1.24
