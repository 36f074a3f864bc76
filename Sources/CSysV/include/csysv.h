#ifndef CSYSV_H
#define CSYSV_H
#endif
