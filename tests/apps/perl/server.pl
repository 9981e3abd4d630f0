# A non-blocking listener and IO::Select: one thread, one accept per turn.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(clock_gettime sleep CLOCK_MONOTONIC);

$SIG{PIPE} = 'IGNORE';
my $listener = IO::Socket::INET->new(
    LocalAddr => $ENV{HOST} // '127.0.0.1',
    LocalPort => $ENV{PORT} // 8080,
    Listen    => 511,
    ReuseAddr => 1,
    Blocking  => 0,
) or die "cannot listen: $@\n";
my $select = IO::Select->new($listener);
my %input;

sub who { "pid=$$ id=" . ($ENV{PROCESS_LOGICAL_ID} // '') . "\n" }

sub spin {
    my ($milliseconds) = @_;
    syswrite STDOUT, "spinning\n";
    my $end = clock_gettime(CLOCK_MONOTONIC) + $milliseconds / 1000;
    1 while clock_gettime(CLOCK_MONOTONIC) < $end;
}

# Status and body.
sub answer {
    my ($what, $body) = @_;
    return (200, who()) if $what eq 'GET /';
    if ($what =~ m{^GET /slow\?ms=(\d+)$}) { sleep($1 / 1000); return (200, who()) }
    if ($what =~ m{^GET /spin\?ms=(\d+)$}) { spin($1); return (200, who()) }
    if ($what =~ m{^GET /exit\?code=(\d+)$}) { exit $1 }
    return (200, $body) if $what eq 'POST /echo';
    return (200, $listener->sockhost . ':' . $listener->sockport . "\n") if $what eq 'GET /port';
    return (404, "no such page\n");
}

# Writes it all; a socket that is full is waited for.
sub send_all {
    my ($conn, $bytes) = @_;
    my $done = 0;
    while ($done < length $bytes) {
        my $sent = syswrite $conn, $bytes, length($bytes) - $done, $done;
        return 0 unless defined $sent;
        $done += $sent;
    }
    return 1;
}

# False when the connection is over.
sub serve {
    my ($conn) = @_;
    my $buffer = \$input{$conn};
    my $read = sysread $conn, $$buffer, 65536, length $$buffer;
    return 0 unless $read;
    while ($$buffer =~ /^(.*?)\r\n\r\n/s) {
        my $head = $1;
        my ($length) = $head =~ /^content-length: *(\d+)/im;
        my $total = length($head) + 4 + ($length // 0);
        return 1 if length $$buffer < $total;
        my $body = substr $$buffer, length($head) + 4, $length // 0;
        substr($$buffer, 0, $total) = '';
        my ($what) = $head =~ /^(\S+ \S+)/;
        my ($status, $answer) = answer($what, $body);
        my $start = "HTTP/1.1 $status x\r\nContent-Length: " . length($answer) . "\r\n\r\n";
        return 0 unless send_all($conn, $start . $answer);
        return 0 if $head =~ /^connection: *close/im;
    }
    return 1;
}

while (1) {
    for my $ready ($select->can_read) {
        if ($ready == $listener) {
            my $conn = $listener->accept or next;
            $conn->blocking(1);
            $input{$conn} = '';
            $select->add($conn);
        } elsif (!serve($ready)) {
            delete $input{$ready};
            $select->remove($ready);
            close $ready;
        }
    }
}
