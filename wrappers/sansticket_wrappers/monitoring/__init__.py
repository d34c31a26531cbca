"""What a server or client does with tickets, for those who run it: logs in JSON lines, and counters.

    monitor = Monitor("server", LogSink(), PrometheusSink())
    server = await start_server(serve, host, port, config, watch=monitor.watch)

``Monitor`` takes the events of connections and makes accounts of them (``sansticket.accounts``); sinks take these.
``sansticket_wrappers.monitoring.prometheus`` and ``.opentelemetry`` need what they are named after.
"""

from sansticket_wrappers.monitoring.log import JsonLines, LogSink
from sansticket_wrappers.monitoring.metrics import METRICS, Kind, Metric
from sansticket_wrappers.monitoring.monitor import Monitor, Sink

__all__ = ["METRICS", "JsonLines", "Kind", "LogSink", "Metric", "Monitor", "Sink"]
