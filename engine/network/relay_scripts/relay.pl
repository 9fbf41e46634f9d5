# Hands a listener on HOST:PORT to the gateway at a unix socket: relay.pl SOCKET HOST PORT.
#
# The same as relay.py for images that have no Python; needs perl-base only, which has no sendmsg(2) of its own.
use strict;
use warnings;
use POSIX qw(uname);
use Socket qw(:DEFAULT inet_aton);

my $BACKLOG    = 1024;
my $SCM_RIGHTS = 1;
# The number of sendmsg(2): x86 has its own, all 64-bit architectures that came later share one.
my %SENDMSG = (x86_64 => 46, aarch64 => 211, riscv64 => 211, loongarch64 => 211);

my ($path, $host, $port) = @ARGV;
my $number = $SENDMSG{(uname())[4]} or exit 1;
socket(my $listener, PF_INET, SOCK_STREAM, 0) or exit 1;
setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
bind($listener, pack_sockaddr_in($port, inet_aton($host))) && listen($listener, $BACKLOG) or exit 1;
socket(my $gateway, PF_UNIX, SOCK_STREAM, 0) or exit 1;
connect($gateway, pack_sockaddr_un($path)) or exit 1;

# struct iovec, cmsghdr with one descriptor, msghdr
my $byte    = 'L';
my $vector  = pack('P1 Q', $byte, 1);
my $control = pack('Q i i i x4', 20, SOL_SOCKET, $SCM_RIGHTS, fileno($listener));
my $message = pack('x16 P16 Q P24 Q x8', $vector, 1, $control, 24);
syscall($number, fileno($gateway), $message, 0) == 1 or exit 1;

# Only the gateway has it now: when that ends, nobody listens.
close($listener);
sysread($gateway, $byte, 1);
