package admin

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrape bounds one reading of the Source; a Prometheus scrape gives up after ten seconds by default.
const scrape = 5 * time.Second

// metricsHandler serves a registry of its own, so that nothing a dependency registers globally leaks in.
func metricsHandler(s Source) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collector{s},
	)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// collector turns one Status into metrics at each scrape: the hot path counts, it exports nothing.
type collector struct{ source Source }

// Describe sends nothing: which series exist depends on the catalog.
func (c collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrape)
	defer cancel()
	st, err := c.source.Status(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(infoDesc, err)
		return
	}
	e := emitter{ch}
	e.gauge(infoDesc, 1, st.Node, st.Version)
	e.gauge(readyDesc, boolValue(c.source.Ready()))
	e.gauge(startedDesc, seconds(st.Started))
	e.gauge(catalogVersionDesc, float64(st.Catalog.Version))
	e.gauge(catalogDiffersDesc, boolValue(st.Catalog.Differs))
	e.gauge(sessionsDesc, float64(st.Sessions.Bound))
	e.gauge(preBindDesc, float64(st.Sessions.PreBind))
	e.books(st.Books)
	e.alerts(st.Alerts)
	for _, l := range st.Layers {
		e.layer(l)
	}
	for _, t := range st.Threads {
		if t.Duty >= 0 {
			e.gauge(threadDutyDesc, t.Duty, t.Name)
		}
	}
	for _, l := range st.Lanes {
		e.lane(l)
	}
	for _, l := range st.Links {
		e.link(l)
	}
	if st.Cluster != nil {
		e.cluster(st.Cluster)
	}
	for _, q := range st.Queues {
		labels := []string{q.Queue, strconv.Itoa(int(q.Lane)), q.Carrier, q.Client, q.Class}
		e.gauge(queueDepthDesc, float64(q.Depth), labels...)
		e.gauge(queueAgeDesc, q.OldestAge, labels...)
	}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("smsplane_"+name, help, labels, nil)
}

var (
	infoDesc           = desc("info", "The node and the version of its program; always 1.", "node", "version")
	readyDesc          = desc("ready", "1 while binds are accepted.")
	startedDesc        = desc("start_time_seconds", "When the process started, Unix time.")
	catalogVersionDesc = desc("catalog_version", "The catalog in force.")
	catalogDiffersDesc = desc("catalog_differs", "1 while the catalog folder is not what was applied.")
	sessionsDesc       = desc("client_sessions", "SMPP sessions of clients that are bound.")
	preBindDesc        = desc("client_sessions_pre_bind", "Connections that have not bound yet.")

	acceptedDesc  = desc("messages_accepted_total", "Messages ever accepted: answered with command_status 0.")
	endedDesc     = desc("messages_ended_total", "Messages that ended, by final state.", "state")
	inFlightDesc  = desc("messages_in_flight", "Accepted messages that have neither ended nor are in doubt.")
	inDoubtDesc   = desc("messages_in_doubt", "Messages dispatched whose answer was lost with a link or a process.")
	resentDesc    = desc("messages_resent_total", "Messages sent a second time out of doubt.")
	returnedDesc  = desc("receipts_returned_total", "Receipts that a client acknowledged.")
	parkedDesc    = desc("receipts_parked", "Receipts waiting for a receiver bind of their client.")
	ledgerSumDesc = desc("ledger_sum_micro", "Sum of all ledger entries; anything but 0 is a fault.")
	booksDesc     = desc("books_add_up", "1 while accepted equals the sum of all states and the ledger sum is 0.")

	alertsDesc = desc("alert_notifications_total", "alert_notification of carriers since the start, by what became of them.", "outcome")

	layerWorkersDesc  = desc("layer_workers", "Workers of a layer.", "layer")
	layerMessagesDesc = desc("layer_messages_total", "Messages a layer has handled since the start.", "layer")
	layerRefusalsDesc = desc("layer_refusals_total", "Refusals of a layer, by reason.", "layer", "reason")
	layerLatencyDesc  = desc("layer_latency_seconds", "Time a message spends in a layer.", "layer", "quantile")
	layerPausedDesc   = desc("layer_paused", "1 while an operator has paused the layer.", "layer")

	threadDutyDesc = desc("thread_duty", "Share of the last second that a thread of the data plane worked.", "thread")

	laneLeaderDesc    = desc("lane_leader", "1 on the host that leads the lane.", "lane")
	laneTermDesc      = desc("lane_term", "Raft term of the lane.", "lane")
	laneCommittedDesc = desc("lane_committed_index", "Last committed entry.", "lane")
	laneAppliedDesc   = desc("lane_applied_index", "Last applied entry.", "lane")
	laneResidentDesc  = desc("lane_resident_bytes", "Octets of log held in memory.", "lane")

	quorumDesc     = desc("cluster_quorum", "1 while a leader is known.")
	singleCopyDesc = desc("cluster_single_copy", "1 while a lane led here is acknowledged on one host only.")
	relayedDesc    = desc("cluster_relayed_clients", "Clients bound here that are carried to the host that leads.")
	hostUpDesc     = desc("cluster_host_up", "1 while streams to and from the host are up.", "host", "witness")
	hostLeadsDesc  = desc("cluster_host_leads", "Lanes that the host leads.", "host")
	hostFullDesc   = desc("cluster_host_disk_full", "1 while the host's disk stands at its reserve.", "host")
	hostLagDesc    = desc("cluster_host_lag_entries", "Entries that the host is behind in some lane led here.", "host")
	hostLostDesc   = desc("cluster_host_lost_frames_total", "Frames for the host that were lost.", "host")

	linkBoundDesc    = desc("link_bound", "1 while the session is bound.", linkLabels...)
	linkWindowDesc   = desc("link_window", "Requests that may be unanswered.", linkLabels...)
	linkInFlightDesc = desc("link_in_flight", "Requests unanswered now.", linkLabels...)
	linkSentDesc     = desc("link_sent_total", "submit_sm written.", linkLabels...)
	linkAnsweredDesc = desc("link_answered_total", "submit_sm_resp read.", linkLabels...)
	linkRefusedDesc  = desc("link_refused_total", "submit_sm_resp with a status other than 0.", linkLabels...)

	queueDepthDesc = desc("queue_depth", "Messages waiting.", queueLabels...)
	queueAgeDesc   = desc("queue_oldest_age_seconds", "Age of the oldest message waiting.", queueLabels...)
)

var (
	linkLabels  = []string{"carrier", "link", "session"}
	queueLabels = []string{"queue", "lane", "carrier", "client", "class"}
)

type emitter struct{ ch chan<- prometheus.Metric }

func (e emitter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	e.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (e emitter) counter(d *prometheus.Desc, v uint64, labels ...string) {
	e.ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func (e emitter) alerts(a Alerts) {
	e.counter(alertsDesc, a.Relayed, "relayed")
	e.counter(alertsDesc, a.Unrouted, "unrouted")
	e.counter(alertsDesc, a.Unbound, "unbound")
	e.counter(alertsDesc, a.Dropped, "dropped")
}

func (e emitter) books(b Books) {
	e.counter(acceptedDesc, b.Accepted)
	e.counter(endedDesc, b.Delivered, "delivered")
	e.counter(endedDesc, b.Failed, "failed")
	e.counter(endedDesc, b.Expired, "expired")
	e.counter(endedDesc, b.Sent, "sent")
	e.counter(endedDesc, b.Unknown, "unknown")
	e.gauge(inFlightDesc, float64(b.InFlight))
	e.gauge(inDoubtDesc, float64(b.InDoubt))
	e.counter(resentDesc, b.Resent)
	e.counter(returnedDesc, b.ReceiptsReturned)
	e.gauge(parkedDesc, float64(b.ReceiptsParked))
	e.gauge(ledgerSumDesc, float64(b.LedgerSumMicro))
	e.gauge(booksDesc, boolValue(b.AddUp()))
}

func (e emitter) layer(l LayerStatus) {
	e.gauge(layerWorkersDesc, float64(l.Workers), l.Name)
	e.counter(layerMessagesDesc, l.Messages, l.Name)
	e.gauge(layerPausedDesc, boolValue(l.Paused), l.Name)
	e.gauge(layerLatencyDesc, l.P50/1e3, l.Name, "0.5")
	e.gauge(layerLatencyDesc, l.P99/1e3, l.Name, "0.99")
	if len(l.Reasons) == 0 {
		e.counter(layerRefusalsDesc, l.Refusals, l.Name, "any")
	}
	for reason, n := range l.Reasons {
		e.counter(layerRefusalsDesc, n, l.Name, reason)
	}
}

func (e emitter) lane(l LaneStatus) {
	lane := strconv.Itoa(int(l.Lane))
	e.gauge(laneLeaderDesc, boolValue(l.Leader), lane)
	e.gauge(laneTermDesc, float64(l.Term), lane)
	e.gauge(laneCommittedDesc, float64(l.Committed), lane)
	e.gauge(laneAppliedDesc, float64(l.Applied), lane)
	e.gauge(laneResidentDesc, float64(l.Resident), lane)
}

func (e emitter) cluster(c *ClusterStatus) {
	e.gauge(quorumDesc, boolValue(c.Quorum))
	e.gauge(singleCopyDesc, boolValue(c.SingleCopy))
	e.gauge(relayedDesc, float64(c.Relayed))
	for _, h := range c.Hosts {
		e.gauge(hostLeadsDesc, float64(h.Leads), h.Name)
		e.gauge(hostFullDesc, boolValue(h.Disk != ""), h.Name)
		if h.Self {
			continue
		}
		e.gauge(hostUpDesc, boolValue(h.Sending && h.Hearing), h.Name, strconv.FormatBool(h.Witness))
		e.gauge(hostLagDesc, float64(h.Lag), h.Name)
		e.counter(hostLostDesc, h.Lost, h.Name)
	}
}

func (e emitter) link(l LinkInfo) {
	labels := []string{l.Carrier, strconv.Itoa(l.Link), strconv.Itoa(l.Session)}
	e.gauge(linkBoundDesc, boolValue(l.State == LinkBound), labels...)
	e.gauge(linkWindowDesc, float64(l.Window), labels...)
	e.gauge(linkInFlightDesc, float64(l.InFlight), labels...)
	e.counter(linkSentDesc, l.Sent, labels...)
	e.counter(linkAnsweredDesc, l.Answered, labels...)
	e.counter(linkRefusedDesc, l.Refused, labels...)
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixNano()) / 1e9
}
