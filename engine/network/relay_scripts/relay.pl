# Carries connections from HOST:PORT to a unix socket: relay.pl SOCKET HOST PORT.
#
# The same as relay.py for images that have no Python; needs perl-base only. One process without children, one select
# loop; prints nothing; ends on SIGTERM, and when its parent is gone.
use strict;
use warnings;
use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Handle;
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY inet_aton);

my $CHUNK     = 256 * 1024;
my $MAX_PAIRS = 480;           # select() knows descriptors below 1024

my $parent = getppid();
my ($path, $host, $port) = @ARGV;
my %end;                       # descriptor -> {handle, peer, waiting, ended, shut}
my ($readable, $writable) = ('', '');
my $pairs = 0;

# As the first process of a container it would otherwise not even notice SIGTERM.
$SIG{$_} = sub { exit 0 } for qw(TERM INT HUP);
$SIG{PIPE} = 'IGNORE';

socket(my $listener, PF_INET, SOCK_STREAM, 0) or exit 1;
setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
bind($listener, pack_sockaddr_in($port, inet_aton($host))) && listen($listener, 1000) or exit 1;
$listener->blocking(0);
vec($readable, fileno($listener), 1) = 1;
connect_gateway();             # tells the gateway that we listen; closed at once

while (getppid() == $parent) {
    my $ready = select(my $r = $readable, my $w = $writable, undef, 1);
    next if $ready <= 0;
    accept_one() if vec($r, fileno($listener), 1);
    for my $fd (keys %end) {
        read_from($fd) if $end{$fd} && vec($r, $fd, 1);
        write_to($fd)  if $end{$fd} && vec($w, $fd, 1);
    }
}

sub connect_gateway {
    socket(my $gateway, PF_UNIX, SOCK_STREAM, 0) or return;
    $gateway->blocking(0);
    setsockopt($gateway, SOL_SOCKET, SO_SNDBUF, 4 * $CHUNK);
    return connect($gateway, pack_sockaddr_un($path)) ? $gateway : undef;
}

sub accept_one {
    accept(my $client, $listener) or return;
    my $gateway = connect_gateway() or return;
    $client->blocking(0);
    setsockopt($client, IPPROTO_TCP, TCP_NODELAY, 1);
    my ($a, $b) = (fileno($client), fileno($gateway));
    $end{$a} = {handle => $client,  peer => $b, waiting => ''};
    $end{$b} = {handle => $gateway, peer => $a, waiting => ''};
    vec($readable, $_, 1) = 1 for $a, $b;
    vec($readable, fileno($listener), 1) = 0 if ++$pairs >= $MAX_PAIRS;
}

# Reads once and writes at once; while the other end does not take it all, nothing more is read.
sub read_from {
    my ($fd) = @_;
    my $from = $end{$fd};
    my $size = sysread($from->{handle}, my $data, $CHUNK);
    return unless defined $size || fault($fd);
    my $to = $end{$from->{peer}};
    if ($size) {
        $to->{waiting} = $data;
    } else {
        $from->{ended} = 1;
    }
    write_to($from->{peer});
}

sub write_to {
    my ($fd) = @_;
    my $to   = $end{$fd};
    my $from = $end{$to->{peer}};
    if (length $to->{waiting}) {
        my $size = syswrite($to->{handle}, $to->{waiting});
        defined $size || fault($fd) ? substr($to->{waiting}, 0, $size // 0, '') : return;
    }
    my $full = length $to->{waiting} > 0;
    vec($writable, $fd, 1) = $full ? 1 : 0;
    vec($readable, $to->{peer}, 1) = $full || $from->{ended} ? 0 : 1;
    return if $full || !$from->{ended} || $to->{shut};
    shutdown($to->{handle}, 1);
    $to->{shut} = 1;
    drop($fd) if $from->{shut};
}

# After a failed call: true when it is only to be tried again, else the connection is closed.
sub fault {
    my ($fd) = @_;
    return 1 if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
    drop($fd);
    return 0;
}

sub drop {
    my ($fd) = @_;
    for my $gone ($end{$fd}{peer}, $fd) {
        vec($readable, $gone, 1) = vec($writable, $gone, 1) = 0;
        delete $end{$gone};    # closes the handle
    }
    $pairs--;
    vec($readable, fileno($listener), 1) = 1;
}
