#!/usr/bin/perl
# A third-party ESME on Perl's Net::SMPP: binds as transceiver, sends COUNT messages and waits for a receipt of
# each. Prints "accepted TO ID" and "receipt ID STAT" lines; exits 0 once all receipts are there.
use strict;
use warnings;
use Net::SMPP;

my ($host, $port, $system_id, $password, $prefix, $count) = @ARGV;
$| = 1;
$SIG{ALRM} = sub { die "timeout\n" };
alarm 30;

my ($smpp, $resp) = Net::SMPP->new_transceiver($host, port => $port, system_id => $system_id, password => $password)
    or die "connect: $!\n";
die "bind: " . $resp->explain_status() . "\n" if $resp->status;

my (%to, %waiting, %early);    # by sequence; by message id
my $answered = 0;
for my $i (0 .. $count - 1) {
    my $to = $prefix . sprintf '%07d', $i;
    my $seq = $smpp->submit_sm(
        async => 1, source_addr_ton => 5, source_addr_npi => 0, source_addr => 'perl',
        dest_addr_ton => 1, dest_addr_npi => 1, destination_addr => $to,
        registered_delivery => 1, short_message => "message $i from Perl",
    ) or die "submit_sm: $!\n";
    $to{$seq} = $to;
}

while ($answered < $count || %waiting) {
    my $pdu = $smpp->read_pdu() or die "the session ended: $answered of $count answered\n";
    if ($pdu->{cmd} == Net::SMPP::CMD_submit_sm_resp) {
        my $to = delete $to{ $pdu->seq } or die "answer to nothing: " . $pdu->seq . "\n";
        die "submit_sm to $to: " . $pdu->explain_status() . "\n" if $pdu->status;
        print "accepted $to $pdu->{message_id}\n";
        $answered++;
        $waiting{ $pdu->{message_id} } = 1 unless delete $early{ $pdu->{message_id} };
    }
    elsif ($pdu->{cmd} == Net::SMPP::CMD_deliver_sm) {
        $smpp->deliver_sm_resp(seq => $pdu->seq, message_id => '');
        my ($id, $stat) = $pdu->{short_message} =~ /^id:(\S+) .*stat:(\S+) / or die "not a receipt: $pdu->{short_message}\n";
        print "receipt $id $stat\n";
        $early{$id} = 1 unless delete $waiting{$id};
    }
    elsif ($pdu->{cmd} == Net::SMPP::CMD_enquire_link) {
        $smpp->enquire_link_resp(seq => $pdu->seq);
    }
}
$resp = $smpp->unbind();
exit($resp && !$resp->status ? 0 : 1);
