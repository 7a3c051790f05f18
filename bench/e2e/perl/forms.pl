#!/usr/bin/perl
# A third-party ESME on Perl's Net::SMPP that sends the messages of forms.json, long ones in parts. Prints "accepted TO ID"
# and "receipt ID STAT" lines; exits 0 once all receipts are there.
use strict;
use warnings;
use Encode qw(encode);
use JSON::PP;
use Net::SMPP;

my ($host, $port, $system_id, $password, $prefix, $file) = @ARGV;
$| = 1;
$SIG{ALRM} = sub { die "timeout\n" };
alarm 60;
open my $in, '<', $file or die "$file: $!\n";
my $forms = decode_json(do { local $/; <$in> });

my ($smpp, $resp) = Net::SMPP->new_transceiver($host, port => $port, system_id => $system_id, password => $password)
    or die "connect: $!\n";
die "bind: " . $resp->explain_status() . "\n" if $resp->status;

my %to;    # by sequence
my ($unanswered, $unreceived) = (0, 0);
for my $i (0 .. $#$forms) {
    submit($forms->[$i], sprintf('%s%07d', $prefix, $i), $_) for parts($forms->[$i], 0x70 + $i);
}

sub octets {
    my $f = shift;
    return pack 'C*', map { ($_ * 7) & 0xff } 0 .. $f->{octets} - 1 if $f->{octets};
    my $text = $f->{text} x ($f->{times} || 1);
    return encode($f->{coding} ? 'UTF-16BE' : 'gsm0338', $text);
}

# parts are argument lists for submit_sm.
sub parts {
    my ($f, $ref) = @_;
    my $octets = octets($f);
    return { message_payload => $octets, short_message => '' } if $f->{payload};
    return { esm_class => 0x40, short_message => pack('H*', $f->{udh}) . $octets } if $f->{udh};
    return { short_message => $octets } if length $octets <= ($f->{coding} ? 140 : 160);
    my @pieces = unpack $f->{coding} ? '(a134)*' : '(a153)*', $octets;
    return map { { esm_class => 0x40, short_message => pack('C6', 5, 0, 3, $ref, scalar @pieces, $_ + 1) . $pieces[$_] } } 0 .. $#pieces;
}

sub submit {
    my ($f, $to, $part) = @_;
    my $seq = $smpp->submit_sm(
        async => 1, source_addr_ton => 5, source_addr_npi => 0, source_addr => 'perl',
        dest_addr_ton => 1, dest_addr_npi => 1, destination_addr => $to,
        registered_delivery => 1, data_coding => $f->{coding}, %$part,
    ) or die "submit_sm: $!\n";
    $to{$seq} = $to;
    $unanswered++;
    $unreceived++;
}

while ($unanswered || $unreceived) {
    my $pdu = $smpp->read_pdu() or die "the session ended: $unanswered unanswered, $unreceived receipts missing\n";
    if ($pdu->{cmd} == Net::SMPP::CMD_submit_sm_resp) {
        my $to = delete $to{ $pdu->seq } or die "answer to nothing: " . $pdu->seq . "\n";
        die "submit_sm to $to: " . $pdu->explain_status() . "\n" if $pdu->status;
        print "accepted $to $pdu->{message_id}\n";
        $unanswered--;
    }
    elsif ($pdu->{cmd} == Net::SMPP::CMD_deliver_sm) {
        $smpp->deliver_sm_resp(seq => $pdu->seq, message_id => '');
        my ($id, $stat) = $pdu->{short_message} =~ /^id:(\S+) .*stat:(\S+) / or die "not a receipt: $pdu->{short_message}\n";
        print "receipt $id $stat\n";
        $unreceived--;
    }
    elsif ($pdu->{cmd} == Net::SMPP::CMD_enquire_link) {
        $smpp->enquire_link_resp(seq => $pdu->seq);
    }
}
$resp = $smpp->unbind();
exit($resp && !$resp->status ? 0 : 1);
