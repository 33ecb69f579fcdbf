/* XML for reports that other programs read (cli/xml.h). */
#include "cli/xml.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

void bw_put_xml(const char *text)
{
    size_t left = text == NULL ? 0 : strlen(text);
    while (left > 0) {
        size_t used = bw_utf8_sequence(text, left);
        unsigned char c = (unsigned char)text[0], next = (unsigned char)(used > 1 ? text[1] : 0);
        bool control = used == 1 && ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f);
        bool c1 = used == 2 && c == 0xc2 && next < 0xa0;
        bool noncharacter =
            used == 3 && c == 0xef && next == 0xbf && (unsigned char)text[2] >= 0xbe; /* U+FFFE, U+FFFF */
        if (used == 0 || control || c1 || noncharacter) {
            (void)fputs("\xef\xbf\xbd", stdout);
        } else if (strchr("&<>\"'\t\n", c) != NULL) { /* as numbers, blanks survive in attributes, too */
            printf("&#%u;", c);
        } else {
            (void)fwrite(text, 1, used, stdout);
        }
        text += used == 0 ? 1 : used;
        left -= used == 0 ? 1 : used;
    }
}

void bw_put_xml_attribute(const char *name, const char *text)
{
    printf(" %s=\"", name);
    bw_put_xml(text);
    printf("\"");
}
