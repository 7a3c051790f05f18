#!/usr/bin/perl
# A third-party ESME on Perl's Net::SMPP that does what doc.go lists: sends the messages of forms.json, long ones in parts,
# one to several destinations at once, changes one and takes one back, and prints what it is told (doc.go has the lines).
use strict;
use warnings;
use Encode qw(decode encode);
use JSON::PP;
use Net::SMPP;

# Net::SMPP over TLS: what reads and writes is the upper class's. Net::SMPP writes once, and a record of TLS holds 16 KB.
package Secure {
    require IO::Socket::SSL;
    our @ISA = qw(IO::Socket::SSL Net::SMPP);

    sub syswrite {
        my ($me, $octets) = @_;
        utf8::downgrade($octets); # as a socket's syswrite does
        my $at = 0;
        while ($at < length $octets) {
            $at += $me->SUPER::syswrite($octets, length($octets) - $at, $at) || die "write: $!\n";
        }
        return $at;
    }
}

my ($host, $port, $system_id, $password, $prefix, $file, $mode) = @ARGV;
$| = 1;
$SIG{ALRM} = sub { die "timeout\n" };
alarm 60;
open my $in, '<', $file or die "$file: $!\n";
my $forms = decode_json(do { local $/; <$in> });

my %from = (source_addr_ton => 5, source_addr_npi => 0, source_addr => 'perl');
my $smpp = Net::SMPP->new_connect($host, port => $port, system_id => $system_id, password => $password) or die "connect: $!\n";
if (($mode || '') eq 'tls') {
    $smpp = Secure->start_SSL($smpp, SSL_verify_mode => 0) or die "TLS: ", IO::Socket::SSL::errstr(), "\n";
}
my $resp = $smpp->bind_transceiver();
die "bind: " . $resp->explain_status() . "\n" if $resp->status;

my %then;                   # what to do with an answer, by sequence
my $unreceived = 0;         # receipts
my $unheard    = 3;         # messages of phones
for my $i (0 .. $#$forms) {
    submit(number($i), data_coding => $forms->[$i]{coding}, %$_) for parts($forms->[$i], 0x70 + $i);
}
submit(number(900), short_message => 'call me');
multi();
change();
withdraw();

sub number { sprintf '%s%07d', $prefix, shift }
sub to { (dest_addr_ton => 1, dest_addr_npi => 1, destination_addr => shift) }

# ask sends a request and keeps what follows its answer.
sub ask {
    my ($what, $then, @fields) = @_;
    my $seq = $smpp->$what(async => 1, @fields) or die "$what: $!\n";
    $then{$seq} = $then;
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
    my $total  = @pieces;
    return map {
        $f->{sar}
            ? { sar_msg_ref_num => pack('n', $ref), sar_total_segments => pack('C', $total), sar_segment_seqnum => pack('C', $_ + 1),
                short_message => $pieces[$_] }
            : { esm_class => 0x40, short_message => pack('C6', 5, 0, 3, $ref, $total, $_ + 1) . $pieces[$_] }
    } 0 .. $#pieces;
}

sub submit {
    my ($to, @fields) = @_;
    $unreceived++;
    ask('submit_sm', sub {
        my $pdu = shift;
        die "submit_sm to $to: " . $pdu->explain_status() . "\n" if $pdu->status;
        print "accepted $to $pdu->{message_id}\n";
    }, %from, to($to), registered_delivery => 1, @fields);
}

# multi sends to two numbers, one without a route and a distribution list.
sub multi {
    $unreceived += 2;
    ask('submit_multi', sub {
        my $pdu = shift;
        my @failed = map { "$pdu->{destination_addr}[$_]:$pdu->{error_status_code}[$_]" } 0 .. $pdu->{no_unsuccess} - 1;
        print "multi ", $pdu->status, " $pdu->{message_id} ", join(',', @failed), "\n";
    }, %from, dest_flag => [1, 1, 1, 2], dest_addr_ton => [1, 1, 1, 0], dest_addr_npi => [1, 1, 1, 0],
        destination_addr => [number(1000), '4420123456', number(1001), 'friends'], registered_delivery => 1, short_message => 'to several');
}

use constant { IN_AN_HOUR => '000000010000000R', IN_A_SECOND => '000000000001000R' };

sub change {
    $unreceived++;
    ask('submit_sm', sub {
        my @about = (%from, message_id => shift->{message_id});
        ask('query_sm', sub {
            print "query ", $_[0]->status, " $_[0]{message_state}\n";
            ask('replace_sm', sub { print "replace ", $_[0]->status, "\n" }, @about, schedule_delivery_time => IN_A_SECOND,
                validity_period => '', registered_delivery => 1, short_message => 'sooner');
        }, @about);
    }, %from, to(number(2000)), schedule_delivery_time => IN_AN_HOUR, short_message => 'later');
}

sub withdraw {
    my @to = to(number(2001));
    ask('submit_sm', sub {
        my @about = (%from, message_id => shift->{message_id});
        ask('cancel_sm', sub {
            print "cancel ", $_[0]->status, "\n";
            ask('cancel_sm', sub {
                print "cancel ", $_[0]->status, "\n";
                ask('query_sm', sub {
                    print "query ", $_[0]->status, " $_[0]{message_state}\n";
                    ask('query_sm', sub { print "query ", $_[0]->status, "\n" }, %from, message_id => 'nobody-gave-this');
                }, @about);
            }, @about, @to);
        }, @about, @to);
    }, %from, @to, schedule_delivery_time => IN_AN_HOUR, short_message => 'never');
}

# mobile prints a message of a phone: text as UTF-8, anything else as it is.
sub mobile {
    my $pdu  = shift;
    my $body = $pdu->{short_message};
    $body = encode('UTF-8', decode($pdu->{data_coding} ? 'UTF-16BE' : 'gsm0338', $body)) if !($pdu->{esm_class} & 0x40);
    print "mobile $pdu->{source_addr} $pdu->{destination_addr} $pdu->{data_coding} ", unpack('H*', $body), "\n";
    $unheard--;
}

while (%then || $unreceived || $unheard) {
    my $pdu = $smpp->read_pdu() or die "the session ended: $unreceived receipts, $unheard messages of phones missing\n";
    if ($pdu->{cmd} == Net::SMPP::CMD_deliver_sm) {
        $smpp->deliver_sm_resp(seq => $pdu->seq, message_id => '');
        if (($pdu->{esm_class} & 0x3c) != 4) {
            mobile($pdu);
            next;
        }
        my ($id, $stat) = $pdu->{short_message} =~ /^id:(\S+) .*stat:(\S+) / or die "not a receipt: $pdu->{short_message}\n";
        print "receipt $id $stat $pdu->{source_addr} $pdu->{destination_addr}\n";
        $unreceived--;
    }
    elsif ($pdu->{cmd} == Net::SMPP::CMD_enquire_link) {
        $smpp->enquire_link_resp(seq => $pdu->seq);
    }
    else {
        my $then = delete $then{ $pdu->seq } or die "answer to nothing: " . $pdu->seq . "\n";
        $then->($pdu);
    }
}
$resp = $smpp->unbind();
exit($resp && !$resp->status ? 0 : 1);
