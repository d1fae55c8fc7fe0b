# Net::POP3: starttls or implicit. It makes line ends LF.
use strict;
use warnings;
use Net::POP3;

my ($tls) = @ARGV;
my %tls = (SSL_ca_file => $ENV{CA}, SSL_verify_mode => 1, SSL_verifycn_scheme => 'pop3', SSL_verifycn_name => $ENV{HOST});
my $pop3 = Net::POP3->new(
    $ENV{HOST}, Timeout => 60, Debug => 1,
    $tls eq 'implicit' ? (Port => $ENV{POP3S}, SSL => 1, %tls) : (Port => $ENV{POP3}),
) or die "no connection: $@";
sub must { $_[0] or die 'refused: ', $pop3->message }
must $pop3->starttls(%tls) if $tls eq 'starttls';
must defined $pop3->login($ENV{LOGIN}, $ENV{PASSWORD});
my $sizes = $pop3->list;
for my $number (sort keys %$sizes) {
    my $lines = $pop3->get($number);
    must $lines;
    open my $file, '>:raw', "$ENV{INBOX}/$number" or die $!;
    print $file @$lines;
    close $file or die $!;
    must $pop3->delete($number);
}
must $pop3->quit;
