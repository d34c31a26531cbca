#!/usr/bin/env escript
%% Erlang's ssl as a peer.  The arguments are those of tests/support/programs.py.
-define(PATIENCE, 20000).

main(Arguments) ->
    Given = maps:from_list([list_to_tuple(string:split(Argument, "=")) || Argument <- Arguments]),
    {ok, _} = application:ensure_all_started(ssl),
    case Given of
        #{"mode" := "serve"} -> serve(Given);
        #{"mode" := "visit", "times" := Times} ->
            [visit(Given, Turn > 1) || Turn <- lists:seq(1, list_to_integer(Times))]
    end.

%% --- its server

serve(Given) ->
    {ok, Listener} = ssl:listen(0, [
        {ip, {127, 0, 0, 1}}, {certfile, maps:get("cert", Given)}, {keyfile, maps:get("key", Given)}
        | common(Given) ++ [{session_tickets, stateless} || tls13(Given)]
    ]),
    {ok, {_, Port}} = ssl:sockname(Listener),
    io:format("listening on port ~w~n", [Port]),
    accept(Listener).

accept(Listener) ->
    {ok, Socket} = ssl:transport_accept(Listener),
    Process = spawn(fun() -> receive yours -> echo(ssl:handshake(Socket, ?PATIENCE)) end end),
    ok = ssl:controlling_process(Socket, Process),
    Process ! yours,
    accept(Listener).

echo({ok, Socket}) -> echo(Socket, ssl:recv(Socket, 0, ?PATIENCE));
echo(Failed) -> io:format("handshake failed: ~p~n", [Failed]).

echo(Socket, {ok, Data}) ->
    ok = ssl:send(Socket, Data),
    echo(Socket, ssl:recv(Socket, 0, ?PATIENCE));
echo(Socket, _) -> ssl:close(Socket).

%% --- its client

visit(Given, Resumed) ->
    {ok, Payload} = file:read_file(maps:get("payload", Given)),
    {ok, Socket} = ssl:connect({127, 0, 0, 1}, list_to_integer(maps:get("port", Given)), [
        {verify, verify_peer}, {cacertfile, maps:get("ca", Given)}, {server_name_indication, "server.example"}
        | common(Given) ++ [{session_tickets, auto} || tls13(Given)]
    ], ?PATIENCE),
    ok = ssl:send(Socket, Payload),
    {ok, Payload} = ssl:recv(Socket, byte_size(Payload), ?PATIENCE),
    {ok, [{session_resumption, Resumed}]} = ssl:connection_information(Socket, [session_resumption]),
    ssl:close(Socket),
    timer:sleep(200), %% its processes keep the session after the connection
    io:format("visited~n").

common(Given) -> [binary, {active, false}, {versions, [case tls13(Given) of true -> 'tlsv1.3'; false -> 'tlsv1.2' end]}].

tls13(#{"version" := Version}) -> Version =:= "1.3".
